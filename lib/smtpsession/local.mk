# lib/smtpsession: sources of this layer's folder.
