/* viewer.c: the page of sinter view, as bytes. */
#include "sinter_viewer.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char frame[] = {
#embed "page/viewer.html"
};
static const unsigned char style[] = {
#embed "page/viewer.css"
};
static const unsigned char stage[] = {
#embed "page/stage.js"
};
static const unsigned char places[] = {
#embed "page/places.js"
};
static const unsigned char arrows[] = {
#embed "page/arrows.js"
};
static const unsigned char painter[] = {
#embed "page/painter.js"
};
static const unsigned char panel[] = {
#embed "page/panel.js"
};
static const unsigned char details[] = {
#embed "page/details.js"
};
static const unsigned char viewer[] = {
#embed "page/viewer.js"
};

static const SinterViewerPart parts[] = {
  {"viewer.html", frame, sizeof frame},    {"viewer.css", style, sizeof style},
  {"stage.js", stage, sizeof stage},       {"places.js", places, sizeof places},
  {"arrows.js", arrows, sizeof arrows},    {"painter.js", painter, sizeof painter},
  {"panel.js", panel, sizeof panel},       {"details.js", details, sizeof details},
  {"viewer.js", viewer, sizeof viewer},
};

const SinterViewerPart *sinter_viewer_parts(size_t *count) {
  *count = sizeof parts / sizeof *parts;
  return parts;
}
