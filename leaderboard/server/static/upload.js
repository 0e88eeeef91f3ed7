// Shows how much of an upload is sent. Without this script the form works as well.
"use strict";
(() => {
  const form = document.getElementById("upload");
  const bar = document.getElementById("progress");
  const words = document.getElementById("words");
  const button = form.querySelector("button");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    const ready = () => { button.disabled = false; bar.hidden = true; };
    request.upload.addEventListener("progress", (sent) => {
      if (!sent.lengthComputable) return;
      bar.value = sent.loaded / sent.total;
      words.textContent = sent.loaded < sent.total ? `${Math.floor(100 * sent.loaded / sent.total)} % sent` : "sent; being checked";
    });
    request.addEventListener("load", () => {
      if (request.status === 200) { location.assign(request.responseURL); return; }
      ready();
      words.textContent = "";
      const answer = new DOMParser().parseFromString(request.responseText, "text/html").querySelector(".error");
      const said = document.getElementById("said");
      if (answer) said.replaceChildren(document.importNode(answer, true));
      else words.textContent = `Not done: the server answered with ${request.status}. Try again later.`;
    });
    request.addEventListener("error", () => { ready(); words.textContent = "Not done: the connection broke. Send it again."; });
    request.open("POST", form.action);
    bar.hidden = false;
    button.disabled = true;
    words.textContent = "sending";
    request.send(new FormData(form));
  });
})();
