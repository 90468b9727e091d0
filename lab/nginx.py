"""How nginx is set up where the lab wants a web server."""

from __future__ import annotations

import pathlib


def configuration(prefix: pathlib.Path, port: int, backlog: int) -> str:
    # The worker stays root: the stage's directory is closed to others.
    return f"""\
        user root;
        daemon off;
        worker_processes 1;
        worker_rlimit_nofile 65536;
        pid {prefix}/pid;
        events {{ worker_connections 32768; }}
        http {{
            access_log off;
            sendfile on;
            keepalive_requests 1000000000;
            client_body_temp_path {prefix}/body;
            proxy_temp_path {prefix}/proxy;
            fastcgi_temp_path {prefix}/fastcgi;
            uwsgi_temp_path {prefix}/uwsgi;
            scgi_temp_path {prefix}/scgi;
            server {{
                listen {port} backlog={backlog};
                listen [::]:{port} backlog={backlog} ipv6only=on;
                root {prefix}/pages;
            }}
        }}
        """
