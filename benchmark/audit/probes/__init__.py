"""The probes of an audit, one file each."""
