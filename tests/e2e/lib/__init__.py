# SPDX-License-Identifier: Apache-2.0
"""What end-to-end tests share: msgpack, the control socket, daemons under test."""
