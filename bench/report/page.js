"use strict";
// What the page does when it is touched: the legend hides and shows series, buttons choose a variant, a tooltip tells
// the values under the pointer. Without it everything is there but the choice.
(() => {
    const all = (selector, within = document) => [...within.querySelectorAll(selector)];
    const plots = document.querySelector(".plots");
    const tip = document.getElementById("tip");
    const entries = all(".legend .entry");

    // ---- legend ----

    const show = (entry, on) => {
        entry.setAttribute("aria-pressed", on);
        for (const curve of all(".curve", plots))
            if (curve.dataset.series === entry.dataset.series) curve.classList.toggle("off", !on);
    };
    const shown = entry => entry.getAttribute("aria-pressed") === "true";
    const ours = entry => entry.dataset.series.startsWith("shale");
    const point = series => {
        plots.classList.toggle("pointing", series !== null);
        for (const curve of all(".curve", plots)) curve.classList.toggle("pointed", curve.dataset.series === series);
    };

    for (const entry of entries) {
        entry.addEventListener("click", () => show(entry, !shown(entry)));
        entry.addEventListener("dblclick", () => {
            for (const other of entries) show(other, other === entry || ours(other));
        });
        entry.addEventListener("mouseenter", () => point(shown(entry) ? entry.dataset.series : null));
        entry.addEventListener("mouseleave", () => point(null));
    }
    for (const button of all("[data-show]"))
        button.addEventListener("click", () => {
            for (const entry of entries) show(entry, button.dataset.show === "all" || ours(entry));
        });

    // ---- variants ----

    for (const part of all(".switched")) {
        const buttons = all(":scope > .figure-head .switch button", part);
        const variants = all(":scope > .variant", part);
        buttons.forEach((button, chosen) => button.addEventListener("click", () => {
            buttons.forEach((other, i) => other.setAttribute("aria-pressed", i === chosen));
            variants.forEach((variant, i) => { variant.hidden = i !== chosen; });
        }));
    }

    // ---- tooltips ----

    const digits = value => {
        if (value === 0) return "0";
        const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
        return value.toFixed(Math.min(decimals, 6));
    };
    const scaled = (value, steps) => {
        let i = 0;
        while (i < steps.length - 1 && Math.abs(value) >= 999.5) { value /= 1000; i++; }
        return `${digits(value)} ${steps[i]}`.trim();
    };
    const formats = {
        time: value => scaled(value, ["ns", "\u00b5s", "ms", "s"]),
        rate: value => scaled(value, ["/s", "K/s", "M/s", "G/s"]),
        share: value => `${(100 * value).toFixed(1)} %`,
        factor: value => `heap ${value}\u00d7 live`,
        percentile: value => {
            const nines = Math.max(0, Math.ceil(Math.log10(value)) - 1);
            return `${(100 * (1 - 1 / value)).toFixed(Math.min(nines, 6))} % of operations`;
        },
    };
    const valueAt = (axis, place) => {
        const fraction = Math.min(1, Math.max(0, (place - axis.from) / (axis.to - axis.from)));
        return axis.log ? axis.low * (axis.high / axis.low) ** fraction : axis.low + fraction * (axis.high - axis.low);
    };
    const placeOf = (axis, value) => {
        const fraction = axis.log ? Math.log(Math.max(value, axis.low) / axis.low) / Math.log(axis.high / axis.low)
            : (value - axis.low) / (axis.high - axis.low);
        return axis.from + fraction * (axis.to - axis.from);
    };
    const onCurve = (values, x, xAxis) => {
        if (values.level !== null && values.points.length === 0) return values.level;
        const points = values.points;
        if (values.snap) {
            const found = points.find(([at]) => Math.abs(at / x - 1) < 0.001);
            return found ? found[1] : null;
        }
        const after = points.findIndex(([at]) => at > x);
        if (after === 0) return null;
        if (after < 0) return x <= points[points.length - 1][0] * 1.0001 ? points[points.length - 1][1] : null;
        const [x0, y0] = points[after - 1], [x1, y1] = points[after];
        if (values.step) return y0;
        const share = xAxis.log ? Math.log(x / x0) / Math.log(x1 / x0) : (x - x0) / (x1 - x0);
        return y0 + share * (y1 - y0);
    };

    const names = new Map(entries.map(entry => [entry.dataset.series, entry]));
    const row = (series, value) => {
        const line = document.createElement("tr");
        const sample = document.createElement("td"), name = document.createElement("td"), amount = document.createElement("td");
        const entry = names.get(series);
        if (entry) sample.append(entry.querySelector("svg").cloneNode(true));
        name.textContent = entry ? entry.querySelector("span").textContent : series;
        amount.textContent = value;
        line.append(sample, name, amount);
        return line;
    };
    const place = event => {
        const box = tip.getBoundingClientRect();
        const left = event.clientX + 18 + box.width < innerWidth ? event.clientX + 18 : event.clientX - 18 - box.width;
        tip.style.left = `${Math.max(4, left)}px`;
        tip.style.top = `${Math.max(4, Math.min(event.clientY - box.height / 2, innerHeight - box.height - 4))}px`;
    };

    for (const chart of all("svg.chart")) {
        const xAxis = JSON.parse(chart.dataset.x), yAxis = JSON.parse(chart.dataset.y);
        const curves = all(".curve", chart).map(curve => ({
            node: curve, series: curve.dataset.series, values: JSON.parse(curve.dataset.values),
        }));
        const stops = [...new Set(curves.flatMap(({ values }) => values.snap ? values.points.map(([x]) => x) : []))];
        const crossHair = chart.querySelector(".cross-hair");
        const leave = () => {
            tip.hidden = true;
            crossHair.setAttribute("d", "");
        };
        chart.addEventListener("mousemove", event => {
            const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
            if (at.x < xAxis.from - 4 || at.x > xAxis.to + 4 || at.y > yAxis.from || at.y < yAxis.to - 4) return leave();
            let x = valueAt(xAxis, at.x);
            if (stops.length > 0)
                x = stops.reduce((best, stop) =>
                    Math.abs(placeOf(xAxis, stop) - at.x) < Math.abs(placeOf(xAxis, best) - at.x) ? stop : best);
            const found = curves.filter(({ node }) => !node.classList.contains("off"))
                .map(({ series, values }) => [series, onCurve(values, x, xAxis)]).filter(([, y]) => y !== null)
                .sort((a, b) => b[1] - a[1]);
            if (found.length === 0) return leave();
            const head = document.createElement("b"), table = document.createElement("table");
            head.textContent = formats[xAxis.format](x);
            table.append(...found.map(([series, y]) => row(series, formats[yAxis.format](y))));
            tip.replaceChildren(head, table);
            tip.hidden = false;
            crossHair.setAttribute("d", `M${placeOf(xAxis, x)} ${yAxis.to}V${yAxis.from}`);
            place(event);
            return undefined;
        });
        chart.addEventListener("mouseleave", leave);
    }

    // ---- print: with all tables ----

    let closed = [];
    addEventListener("beforeprint", () => {
        closed = all("details:not([open])");
        for (const details of closed) details.open = true;
    });
    addEventListener("afterprint", () => { for (const details of closed) details.open = false; });
})();
