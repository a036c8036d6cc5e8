# lib/ipc: sources of this layer's folder.
