complete --keep-order --exclusive --command rdc --arguments "(RDC_COMPLETE=fish rdc -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token) 2>/dev/null)"
