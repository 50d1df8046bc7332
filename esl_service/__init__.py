"""FreeSWITCH shell: sans-I/O event-socket codec, one leg's conversation, gevent server."""
