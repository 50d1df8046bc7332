"""Callsieve in a native Kamailio configuration: app_python3 loads this file; see callsieve.cfg."""

import site

# Where Callsieve is installed for the Python of app_python3: `callsieve kamailio check` says.
site.addsitedir("/opt/callsieve/lib/python3.11/site-packages")

STORE = "csv:/var/lib/callsieve"
# The directory of `callsieve serve --figures`, for Prometheus; None: these calls are not counted.
FIGURES = None

import KSR

from callsieve.kamailio import plugin


def mod_init():
    return plugin(KSR, STORE, FIGURES)
