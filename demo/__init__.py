"""The demonstration: a character-level LSTM, scripted, looked into, run over a text and timed."""
