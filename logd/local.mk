# logd/
