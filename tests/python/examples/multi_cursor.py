# Multiple cursors for parallel access
cursor1 = manager.make_cursor(file_path)
cursor2 = manager.make_cursor(file_path)

# Different regions simultaneously
cursor1.use_region(offset=0, size=1024*1024)
cursor2.use_region(offset=10*1024*1024, size=1024*1024)

# Independent access to same file
data1 = cursor1.buffer()[:]
data2 = cursor2.buffer()[:]
