"""Publishes without end, and says each message's id once it is accepted. Made to be killed.

`python publisher.py APPLICATION TOPIC PREFIX`, with the environment of a site.
"""

import itertools
import json
import sys

from inkwire.access.gate import CLI
from inkwire.config import load_settings
from inkwire.hub import open_hub


def main():
    """One line an accepted message, written whole."""
    application_id, topic, prefix = sys.argv[1:]
    with open_hub(load_settings()) as hub:
        for number in itertools.count():
            body = json.dumps({"number": f"{prefix}-{number}"}).encode()
            (message_id,), _ = hub.publisher.publish(
                CLI, topic=topic, application_id=application_id, payload=body
            )
            print(message_id, flush=True)


if __name__ == "__main__":
    main()
