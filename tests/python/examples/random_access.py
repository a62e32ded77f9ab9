# Random access with buffer interface
with smmap.SlidingWindowMapBuffer(manager.make_cursor(file_path)) as buf:
    # Access any location efficiently
    header = buf[0:64]
    footer = buf[-64:]
    middle = buf[len(buf)//2:len(buf)//2+64]
