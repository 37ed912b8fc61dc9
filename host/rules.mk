# SPDX-License-Identifier: GPL-2.0-only
HOST_LIBS += -luring -lblkid
