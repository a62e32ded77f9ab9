import smmap
# Configure memory manager based on architecture
if smmap.is_64_bit():
    # 64-bit: Use larger windows and memory limits
    window_size = 1024 * 1024 * 1024 # 1GB windows
    max_memory = 8 * 1024 * 1024 * 1024 # 8GB limit
else:
    # 32-bit: Use conservative settings
    window_size = 64 * 1024 * 1024 # 64MB windows
    max_memory = 1 * 1024 * 1024 * 1024 # 1GB limit
manager = smmap.SlidingWindowMapManager(
    window_size=window_size,
    max_memory_size=max_memory
)
