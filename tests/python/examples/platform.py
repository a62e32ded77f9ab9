import smmap
import sys
# Configure based on system capabilities
def create_optimized_manager():
    if smmap.is_64_bit():
        # 64-bit: aggressive settings
        return smmap.StaticWindowMapManager(
            max_memory_size=8 * 1024**3, # 8GB
            max_open_handles=1000
        )
    else:
        # 32-bit: conservative settings
        return smmap.SlidingWindowMapManager(
            window_size=64 * 1024**2, # 64MB windows
            max_memory_size=1 * 1024**3, # 1GB total
            max_open_handles=100
        )
# Platform-specific optimizations
manager = create_optimized_manager()
print(f"Created {type(manager).__name__} for {sys.platform}")
print(f"64-bit system: {smmap.is_64_bit()}")
print(f"Page size: {smmap.ALLOCATIONGRANULARITY} bytes")
