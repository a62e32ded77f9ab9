# Efficient sequential reading
cursor = manager.make_cursor(file_path)
cursor.use_region(offset=0, size=window_size)

offset = 0
while cursor.is_valid():
    buffer = cursor.buffer()
    # Process buffer content
    
    offset += cursor.size()
    cursor.use_region(offset=offset, size=window_size)
