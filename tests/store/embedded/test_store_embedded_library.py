"""The engine's library is loaded without its notice of a machine that has no cgroup file system."""

from mev_dagster.store.embedded.library import load, without_notice

NOTICE = b"""Cannot use cgroups reader: Code: 107. DB::Exception: Cannot find cgroups v1 or v2 memory file. \
(FILE_DOESNT_EXIST), Stack trace (when copying this message, always include the lines below):

0. ? @ 0x000000001d967133
14. Objects/methodobject.c:542:18: google::protobuf::FieldOptions::~FieldOptions() @ 0x00000000001a6ce3
 (version 26.9.2.1)
"""


def test_the_notice_goes_and_nothing_else():
    assert without_notice(NOTICE) == b""
    assert without_notice(b"before\n" + NOTICE + b"behind (version 3)\n") == b"before\nbehind (version 3)\n"
    assert without_notice(b"Cannot use cgroups reader") == b"Cannot use cgroups reader"


def test_the_library_is_loaded_once():
    assert load() is load()
