import smmap

manager = smmap.SlidingWindowMapManager()
cursor = manager.make_cursor('/path/to/data.bin')

# Map first 1MB of file
cursor.use_region(offset=0, size=1024*1024)

if cursor.is_valid():
    print(f"Mapped region: {cursor.ofs_begin()} to {cursor.ofs_end()}")
    print(f"Region size: {cursor.size()} bytes")
    print(f"File size: {cursor.file_size()} bytes")
    
    # Access mapped memory
    buffer = cursor.buffer()
    first_byte = buffer[0]
    header = buffer[:128]
    
    # Check if specific offset is accessible
    if cursor.includes_ofs(512000):
        middle_data = buffer[512000 - cursor.ofs_begin()]
    
    # Map a different region
    cursor.use_region(offset=2*1024*1024, size=512*1024)  # Map 512KB at 2MB offset
    if cursor.is_valid():
        new_buffer = cursor.buffer()
        data = new_buffer[:1000]
    
    # Clean up
    cursor.unuse_region()

# Context manager support
with cursor:
    cursor.use_region(offset=1000, size=5000)
    if cursor.is_valid():
        data = cursor.buffer()[:]
    # Automatic cleanup on exit
