"""`interp dashboard`: the dashboard over a model, served until it is interrupted."""

import os
from collections.abc import Sequence

from interp.cli.shared import Parser, add_model_flags, load_model, whole


def main(arguments: Sequence[str]) -> None:
    """Load the model and serve."""
    from interp.launch import dashboard

    parser = Parser(prog="interp dashboard")
    add_model_flags(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; anything but loopback needs a password"
    )
    parser.add_argument(
        "--port", type=whole(0, 65535), default=8050, help="port to listen on, 0 for any free one; default 8050"
    )
    parser.add_argument(
        "--password",
        default=os.environ.get("INTERP_PASSWORD"),
        help="password that visitors must give; or set INTERP_PASSWORD",
    )
    parser.add_argument(
        "--any-model",
        action="store_true",
        help="also on an address that others reach, let visitors load other models of this machine",
    )
    parser.add_argument("--open", action="store_true", help="open the dashboard in the browser")
    options = parser.parse_args(arguments)
    dashboard(
        load_model(options),
        host=options.host,
        port=options.port,
        password=options.password,
        open_browser=options.open,
        block=True,
        any_model=options.any_model,
    )
