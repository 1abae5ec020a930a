"""Engine adapters: a spec goes in, a plan comes out; log bytes go in, progress comes out."""
