"""What a browser makes of a report: size, errors, requests, width on a phone, accessibility.

It needs Chromium with its driver, selenium, and the script of axe-core (npm install axe-core, then
node_modules/axe-core/axe.min.js), which is not part of this project:

    python benchmarks/report_check.py report.html --axe node_modules/axe-core/axe.min.js
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

WIDTHS = (1280, 390, 360)
SERIOUS = ("serious", "critical")


def browser() -> Any:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options)


def requests_of(driver: Any) -> list[str]:
    """What the page asked for beside itself and pictures that stand in it."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return [url for url in found if not url.startswith(("data:", "file:"))]


def overflow(driver: Any, width: int) -> int:
    """By how many pixels the page is wider than a screen of `width` pixels."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    wide: int = driver.execute_script("return document.documentElement.scrollWidth")
    return wide - width


def violations(driver: Any, axe: Path) -> list[dict[str, Any]]:
    driver.execute_script(axe.read_text(encoding="utf-8"))
    done = driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    found: list[dict[str, Any]] = done["violations"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--axe", type=Path, help="axe.min.js of axe-core")
    given = parser.parse_args()
    print(f"{given.report}: {given.report.stat().st_size:,} bytes")
    driver = browser()
    try:
        driver.get(given.report.resolve().as_uri())
        asked = requests_of(driver)
        print(f"requests to the network: {len(asked)} {asked[:3]}")
        wider = {width: overflow(driver, width) for width in WIDTHS}
        print(f"pixels wider than the screen: {wider}")
        errors = [one["message"] for one in driver.get_log("browser")]
        print(f"messages of the console: {len(errors)} {errors[:3]}")
        found = [] if given.axe is None else violations(driver, given.axe)
    finally:
        driver.quit()
    if given.axe is not None:
        print(f"axe violations by impact: {dict(Counter(one['impact'] for one in found))}")
        for one in found:
            print(f"  {one['impact']}: {one['id']}: {one['help']} ({len(one['nodes'])} places)")
            print(f"    {one['nodes'][0]['html'][:160]}")
    bad = asked or errors or any(pixels > 0 for pixels in wider.values())
    return 1 if bad or any(one["impact"] in SERIOUS for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
