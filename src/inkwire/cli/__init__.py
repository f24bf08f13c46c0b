"""The command line: thin commands over the same rooms that the API and the console use.

    root.py         the `inkwire` command itself · contents.py: its commands, loaded when called
    shell.py        what every command shares: settings, the opened hub, errors, exit codes
    output.py       text, tables and JSON, for a terminal and for a pipe
    serve.py        serve, web, worker: plain.py (read without Typer), service.py (what they do),
                    preparing.py · supervisor.py · processes.py (worker) · answering.py (web)
    send.py verify.py demo/   the providers from the other side: signer.py (options),
                    signed.py (requests), captured.py (what was captured), outgoing.py (HTTP)
    sources.py events.py access.py store.py · doctor.py: checks.py, reachability.py
    orders.py       orders, their statuses, and templates
    applications.py webhooks.py webhook_tries.py deliveries.py   who subscribes, what was sent
    evidence.py     proof of what became of an order: export, verify, key
    listen.py       brings an application's messages to a developer: following.py

Heavy imports (the store, FastAPI, aiohttp) stand inside the commands: `inkwire --help` needs none.
"""


def main() -> None:
    """The entry point `inkwire`; ends the process with the command's exit code."""
    from inkwire.cli.plain import run_if_understood

    run_if_understood()
    from inkwire.cli.root import app

    app(prog_name="inkwire")
