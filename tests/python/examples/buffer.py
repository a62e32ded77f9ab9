import smmap

manager = smmap.SlidingWindowMapManager()

# Direct initialization with cursor
cursor = manager.make_cursor('/path/to/large_file.dat')
buffer = smmap.SlidingWindowMapBuffer(cursor)

# String-like access with automatic windowing
print(f"File size: {len(buffer)} bytes")

# Direct byte access
first_byte = buffer[0]
last_byte = buffer[-1]

# Slice access
header = buffer[:1024]  # First 1KB
trailer = buffer[-1024:]  # Last 1KB
middle_chunk = buffer[1000000:1001000]  # 1KB at 1MB offset

# Context manager for automatic cleanup
with smmap.SlidingWindowMapBuffer() as buf:
    # Initialize for specific region
    if buf.begin_access(cursor, offset=2048, size=1024*1024):
        # Access relative to buffer start (offset 2048 in file = index 0 in buffer)
        data = buf[0:100]  # First 100 bytes of the buffer region
        
        # Check buffer state
        print(f"Buffer covers {len(buf)} bytes")
        print(f"Cursor valid: {buf.cursor().is_valid()}")
    
    # Automatic cleanup on context exit

# Manual resource management
buf = smmap.SlidingWindowMapBuffer()
try:
    buf.begin_access(cursor, offset=0)
    
    # Process file in chunks
    chunk_size = 64 * 1024
    for i in range(0, len(buf), chunk_size):
        chunk = buf[i:i+chunk_size]
        # Process chunk
        pass
        
finally:
    buf.end_access()
