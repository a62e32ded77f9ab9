# Access low-level region information
cursor = manager.make_cursor('/path/to/file.dat')
cursor.use_region(offset=0, size=1024*1024)
if cursor.is_valid():
    region = cursor.region()
    print(f"Region covers: {region.ofs_begin()} to {region.ofs_end()}")
    print(f"Region size: {region.size()} bytes")
    print(f"Client count: {region.client_count()}")
    print(f"Includes offset 512000: {region.includes_ofs(512000)}")
