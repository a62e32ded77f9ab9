import smmap
# Align offsets for optimal memory mapping
offset = 1234
size = 5678
# Align start offset down to page boundary
aligned_offset = smmap.align_to_mmap(offset, False)
print(f"Original: {offset}, Aligned: {aligned_offset}") # Original: 1234, Aligned: 0
# Adjust size to maintain coverage and align to page boundary
adjusted_size = size + (offset - aligned_offset)
aligned_size = smmap.align_to_mmap(adjusted_size, True)
print(f"Adjusted size: {aligned_size}") # Aligned to next page boundary
# Use aligned values for memory mapping
cursor.use_region(offset=aligned_offset, size=aligned_size)
