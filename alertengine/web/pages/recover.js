// Nothing depends on this script: it shows local times, counts the time left and looks again without a reload.
(function () {
  "use strict";
  function two(n) { return String(n).padStart(2, "0"); }
  function said(name, value) { return document.getElementById("page").dataset[name].replace("#", value); }
  function zone() {
    var minutes = -new Date().getTimezoneOffset(), size = Math.abs(minutes);
    if (!minutes) return;
    document.querySelectorAll("time").forEach(function (el) {
      if (el.title) return;
      var at = new Date(el.dateTime), text = el.textContent;
      el.title = text;
      el.textContent = text.replace(/\d\d:\d\d(:\d\d)? UTC/, function (whole, seconds) {
        return two(at.getHours()) + ":" + two(at.getMinutes()) + (seconds ? ":" + two(at.getSeconds()) : "");
      });
    });
    var note = document.getElementById("zone");
    if (note) note.textContent = said("local", "UTC" + (minutes < 0 ? "−" : "+") + two(Math.floor(size / 60)) + ":" + two(size % 60));
  }
  function count() {
    var left = document.getElementById("left");
    if (!left || left.textContent) return;
    var end = Date.now() + 1000 * Number(left.dataset.s);
    function tick() {
      var s = Math.round((end - Date.now()) / 1000);
      if (!left.isConnected) return;
      if (s <= 0) { location.reload(); return; }
      left.textContent = said("left", Math.floor(s / 60) + ":" + two(s % 60));
      setTimeout(tick, 1000);
    }
    tick();
  }
  function follow(wait) {
    var page = document.getElementById("page"), url = page.dataset.follow;
    if (!url) return;
    setTimeout(function () {
      fetch(url, { headers: { accept: "text/html" }, cache: "no-store" }).then(function (r) { return r.text(); }).then(function (text) {
        // Its style is ours already, and its nonce is not: the policy would complain.
        text = text.replace(/<style[^]*?<\/style>/, "");
        var fresh = new DOMParser().parseFromString(text, "text/html"), next = fresh.getElementById("page");
        if (!next) throw new Error("another page");
        // Whoever reads the details of this state is not interrupted by the same state.
        if (page.dataset.view !== next.dataset.view || !page.querySelector("details[open]")) {
          page.replaceWith(next);
          document.body.className = fresh.body.className;
          document.title = fresh.title;
          zone();
          count();
        }
        follow(2000);
      }).catch(function () {
        var note = document.getElementById("looking");
        if (note) note.textContent = said("lost", "");
        follow(Math.min(2 * wait, 30000));
      });
    }, wait);
  }
  zone();
  count();
  follow(2000);
})();
