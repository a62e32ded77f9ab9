import smmap
print(f"System page size: {smmap.ALLOCATIONGRANULARITY} bytes")
# Use for manual alignment calculations
offset = 12345
aligned_offset = (offset // smmap.ALLOCATIONGRANULARITY) * smmap.ALLOCATIONGRANULARITY
print(f"Manual alignment: {offset} -> {aligned_offset}")
# Or use the convenience function
aligned_offset = smmap.align_to_mmap(offset, False)
print(f"Function alignment: {offset} -> {aligned_offset}")
