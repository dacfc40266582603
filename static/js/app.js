// What every page does.

import { startBell } from "./alerts/bell.js";
import { startAppearance } from "./appearance.js";
import { startConnection } from "./connection.js";

startAppearance();
startConnection();
startBell();
// The place where one is may be beyond the edge of a phone's narrow navigation.
document.querySelector(".bottom-nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
