"""Real paired cells that come with the program; README.md in this folder says where they are from."""
