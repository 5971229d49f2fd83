/** What a load report has besides the common style: plots and their legends. */
export const loadStyle = `
svg { width: 100%; height: auto; background: var(--tint); border-radius: 6px; }
svg text { fill: var(--soft); font-size: 12px; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .hover { fill: transparent; }
svg .hover:hover { fill: var(--line); fill-opacity: 0.5; }
svg .S { fill: var(--good); } svg .F { fill: var(--bad); }
svg .U { fill: var(--wait); } svg .LOST { fill: var(--none); }
svg .p50 { stroke: var(--good); } svg .p99 { stroke: var(--far); }
svg .max { stroke: var(--none); stroke-dasharray: 4 3; }
i { display: inline-block; width: 0.7rem; height: 0.7rem; border-radius: 2px;
  margin-right: 0.4rem; }
i.S, i.p50 { background: var(--good); } i.F { background: var(--bad); }
i.U { background: var(--wait); }
i.LOST, i.max { background: var(--none); } i.p99 { background: var(--far); }
.legend span { margin-right: 1.2rem; font-size: 0.9rem; }
`
