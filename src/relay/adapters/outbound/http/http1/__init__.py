"""The relay's own HTTP/1.1 client: an asyncio protocol over llhttp, made for many small reads and few objects."""
