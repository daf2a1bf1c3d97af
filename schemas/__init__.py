"""The contract: messages, topics and model bundles as they are on the wire and on disk.

Everything else imports from here, and nothing here imports from anywhere else.
"""
