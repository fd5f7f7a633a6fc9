def draw_all(recording, config, folder):
    return []
