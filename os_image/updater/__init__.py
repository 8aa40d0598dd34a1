"""Root's side of an update on the appliance (SYS-11): `python -m os_image.updater`; see __main__.py and docs/update.md."""
