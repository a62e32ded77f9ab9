import smmap
# Create custom window layout for optimal access
window1 = smmap.MapWindow(0, 1024*1024) # 1MB at start
window2 = smmap.MapWindow(10*1024*1024, 512*1024) # 512KB at 10MB
# Align windows for efficient mapping
window1.align()
window2.align()
# Create gap-filling window
gap_window = smmap.MapWindow(window1.ofs_end(),
                             window2.ofs_begin() - window1.ofs_end())
gap_window.align()
print(f"Window 1: {window1.ofs} - {window1.ofs_end()}")
print(f"Gap: {gap_window.ofs} - {gap_window.ofs_end()}")
print(f"Window 2: {window2.ofs} - {window2.ofs_end()}")
