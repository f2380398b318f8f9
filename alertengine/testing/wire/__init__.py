"""Providers on the loopback: servers that speak each one's real format, check what they get, and misbehave when told.

Point a channel's `base_url` (or `url`) at one of them and rehearse without an account:

    async with TwilioServer() as twilio:
        config = Config(kind="whatsapp_twilio", base_url=twilio.url, ...)
"""
