#!/bin/sh
# `make` of the room: says what it would do, and so whether there is such a verb; CI does it.
exec /usr/bin/make -n SHELL=/bin/true "$@"
