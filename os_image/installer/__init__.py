"""The installer of the ISO. `python3 -m os_image.installer` on the medium; see __main__.py."""
