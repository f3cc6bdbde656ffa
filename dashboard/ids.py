"""Names of the components that callbacks speak of."""

# the page
BOOT = "boot"
ADDRESS = "address"
PAGE = "page"
RETRY = "retry"
VIEW = "view"
SCHEME = "scheme"
SCHEME_TOGGLE = "light-or-dark"
SHELL = "shell"
ALARM = "alarm"

# the two cuts, shared by all views
THRESHOLD = "threshold"
THRESHOLD_TYPED = "threshold-typed"
TOP_K = "top-k"
TOP_K_TYPED = "top-k-typed"
TOP_K_ON = "top-k-on"
LAYER = "layer"
HEAD = "head"
CUT = "cut"
CUT_SETTLED = "cut-settled"

# cell view
CELL = "cell"
CELL_TYPE_FILTER = "cell-type-filter"
PREVIOUS = "previous-cell"
NEXT = "next-cell"
EMBEDDING = "embedding"
EMBEDDING_DRAWN = "embedding-drawn"
EMBEDDING_NOTICE = "embedding-notice"
CELL_TITLE = "cell-title"
CELL_NUMBERS = "cell-numbers"
CELL_NOTICE = "cell-notice"
HEATMAP = "heatmap"
HEATMAP_NOTICE = "heatmap-notice"
HEATMAP_CAPTION = "heatmap-caption"
BINS = "bins"
DRAWN = "drawn"
WINDOW = "window"
TOOLTIP = "heatmap-tooltip"
LINKS = "links"
LINK_COLUMNS = "link-columns"
LINKS_NOTICE = "links-notice"
LINKS_CSV = "links-csv"

# cell-type view
TYPES = "types"
DEFINITION = "definition"
TRACKS = "tracks"
TRACKS_DRAWN = "tracks-drawn"
TRACK_WINDOW = "track-window"
TRACKS_NOTICE = "tracks-notice"
TRACKS_CAPTION = "tracks-caption"
PEAKS = "peaks"
PEAKS_CSV = "peaks-csv"
PEAKS_TITLE = "peaks-title"

# TF view
TF_TYPE = "tf-type"
TF_DEFINITION = "tf-definition"
BED = "bed"
TF_TRACKS = "tf-tracks"
TF_DRAWN = "tf-drawn"
TF_WINDOW = "tf-window"
TF_MEASURES = "tf-measures"
TF_NOTICE = "tf-notice"
TF_SUMMARY = "tf-summary"
TF_RESULT = "tf-result"

# overview
CURVES = "training-curves"
OVERVIEW_EMBEDDING = "overview-embedding"
OVERVIEW_NOTICE = "overview-notice"

SIDES = {view: f"side-{view}" for view in ("overview", "cell", "celltype", "tf")}
CUT_CONTROLS = "cut-controls"
PANELS = {view: f"panel-{view}" for view in ("overview", "cell", "celltype", "tf")}
