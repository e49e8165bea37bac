"""Model store, records of finished work, ledger."""
