"""Which image each view of a training shows, and around which pixel: class-uniform epochs over several sources."""
