// Everything that has to hold in a real browser. `cargo xtask test browser` runs it; see README.md.

import { after } from "node:test";

import { end } from "./setup.js";

import "./tests/pages.js";
import "./tests/keyboard.js";
import "./tests/map.js";
import "./tests/basemap.js";
import "./tests/verify.js";
import "./tests/explained.js";
import "./tests/hostile.js";
import "./tests/totals.js";
import "./tests/paper.js";

after(end);
