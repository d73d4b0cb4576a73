// Everything that the check in the browser has to hold to. `cargo xtask test javascript` runs it.

import './parts.test.mjs';
import './checks.test.mjs';
import './sources.test.mjs';
