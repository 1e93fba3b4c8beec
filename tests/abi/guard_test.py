#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The ABI's guard: lets pass what an older plugin survives, and names what it would not. Usage: guard_test.py SDK_DIR"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SDK = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "sdk").resolve()
MINOR = ("types.h", "#define LOTSE_ABI_MINOR 0", "#define LOTSE_ABI_MINOR 1")


class Guard(unittest.TestCase):
    def check(self, *edits):
        """(exit code, what it said) for a copy of the headers with (file, old text, new text) replaced."""
        with tempfile.TemporaryDirectory() as folder:
            include = pathlib.Path(folder, "include")
            shutil.copytree(SDK / "include" / "lotse" / "abi", include / "lotse" / "abi")
            for name, old, new in edits:
                file = include / "lotse" / "abi" / name
                text = file.read_text()
                self.assertIn(old, text, "the test's edit no longer fits the header")
                file.write_text(text.replace(old, new, 1))
            ran = subprocess.run([SDK / "abi" / "guard.py", "--include", include], capture_output=True, text=True)
            return ran.returncode, ran.stdout + ran.stderr

    def refused(self, sentence, *edits):
        code, said = self.check(*edits)
        self.assertEqual(code, 1, said)
        self.assertIn(sentence, said)

    def test_the_headers_are_compatible_with_the_last_release(self):
        self.assertEqual(self.check()[0], 0)

    def test_a_member_at_the_end_passes_when_the_minor_version_says_so(self):
        append = ("state.h", "} lotse_state;", "  void (*hurry)(void* self);\n} lotse_state;")
        self.assertEqual(self.check(append, MINOR)[0], 0)
        self.refused("LOTSE_ABI_MINOR has to be more than 0", append)

    def test_a_reserved_member_may_get_a_name(self):
        self.assertEqual(self.check(("entry.h", "uint32_t reserved;\n  const char* name;\n  const char* fallback;",
                                     "uint32_t group;\n  const char* name;\n  const char* fallback;"), MINOR)[0], 0)

    def test_two_slots_that_changed_places_are_named(self):
        self.refused("member lotse_proxy.resync: offset 48 is now 56",
                     ("proxy.h", "lotse_message_fn resync;", "lotse_message_fn other;"),
                     ("proxy.h", "lotse_message_fn apply;", "lotse_message_fn resync;"),
                     ("proxy.h", "lotse_message_fn other;", "lotse_message_fn apply;"))

    def test_a_member_that_is_gone_is_named(self):
        self.refused("member lotse_state_info.ephemeral is gone",
                     ("state.h", "uint32_t ephemeral;", "uint32_t transient;"))

    def test_a_function_with_another_signature_is_named(self):
        self.refused("member lotse_state.compact: type",
                     ("state.h", "int32_t (*compact)(void* self, uint64_t revision, lotse_error* error);",
                      "int32_t (*compact)(void* self, int64_t revision, lotse_error* error);"))

    def test_a_parameter_with_another_name_passes(self):
        self.assertEqual(self.check(("state.h", "int32_t (*compact)(void* self, uint64_t revision, lotse_error* error);",
                                     "int32_t (*compact)(void* self, uint64_t oldest, lotse_error* error);"))[0], 0)

    def test_a_struct_without_a_size_must_not_grow(self):
        self.refused("struct lotse_bytes does not begin with its size",
                     ("types.h", "} lotse_bytes;", "  size_t room;\n} lotse_bytes;"), MINOR)

    def test_a_number_that_means_something_else_is_named(self):
        self.refused("enumerator LOTSE_BUSY was 16 and is 17", ("types.h", "LOTSE_BUSY = 16", "LOTSE_BUSY = 17"))


if __name__ == "__main__":
    unittest.main()
