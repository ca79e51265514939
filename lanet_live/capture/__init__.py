"""Where frames come from: camera, video file, image folder, synthetic."""
