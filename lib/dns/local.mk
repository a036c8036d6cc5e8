# lib/dns: sources of this layer's folder.
