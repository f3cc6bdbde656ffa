"""``python -m bi2scope`` is the command ``bi2scope``."""

from bi2scope.cli import main

if __name__ == "__main__":
    main()
