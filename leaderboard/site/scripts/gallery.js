// Sample images of every source: the stored bytes, never re-encoded, showing exactly the crop that a method gets.

// Small crops grow by whole pixels only.
const cropScale = board.crop_size >= 112 ? 128 / board.crop_size : Math.round(112 / board.crop_size);

function picture(source, image) {
  const scale = cropScale;
  const compression = image.quality ? `JPEG quality ${image.quality}` : "no compression";
  const frame = el("img", { src: image.src, width: image.width * scale, height: image.height * scale, decoding: "async",
    alt: `${titleOf(source.generator)}, image ${image.index}, ${compression}` });
  frame.style.transform = `translate(${-image.crop_x * scale}px, ${-image.crop_y * scale}px)`;
  return el("figure", {},
    el("div", { class: "crop" }, frame),
    el("figcaption", {}, image.quality ? `Q${image.quality}` : "uncompressed"));
}

function sourceRow(source) {
  return el("article", { class: "source" },
    el("header", {}, el("h3", {}, titleOf(source.generator)), el("p", { class: "hint" }, source.training_set),
      el("span", { class: `badge ${source.openness}` }, source.openness)),
    el("div", { class: "strip", "--side": `${board.crop_size * cropScale}px`, tabindex: 0, role: "group", "aria-label": `Images of ${titleOf(source.generator)}` },
      source.images.map((image) => picture(source, image))));
}

function startGallery() {
  if (!board.gallery.length) {
    byId("gallery-hint").textContent = "This board was built without its dataset, so there are no sample images. Build it again with --data to see them.";
    return;
  }
  byId("gallery-hint").textContent = `Test images of every source with the compression each one drew: the ${board.crop_size} × ${board.crop_size} pixel crop that a method gets, never resampled or encoded again. Unseen sources appear in testing only.`;
  byId("gallery-body").replaceChildren(...board.gallery.map(sourceRow));
}

onStart(startGallery);
