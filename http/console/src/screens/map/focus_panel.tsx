// Beside the upstream/downstream view of one node: its measures, who asks it and whom it asks, and the
// way on to its flows.
import { EndName } from '../../components/end';
import { Icon } from '../../components/icon';
import { formatMeasure } from '../../format/number';
import { findMeasure } from '../../model/measures';
import { flowsOfPair } from '../../model/pair';
import { formatUrl, type UrlState } from '../../state/url';
import type { Scene, SceneEdge, SceneNode } from './scene';
import { traffic } from './scene';
import { MeasureList } from './tooltip';

interface Props {
  state: UrlState;
  fill: string;
  scene: Scene;
  node: SceneNode;
}

interface NeighboursProps extends Props {
  title: string;
  edges: SceneEdge[];
  other: (edge: SceneEdge) => SceneNode;
}

function Neighbours({ state, title, edges, other }: NeighboursProps) {
  const unit = state.layer === 'l7' ? 'count' : 'B';
  const ordered = [...edges].sort((a, b) => traffic(b.edge, state.layer) - traffic(a.edge, state.layer));
  return (
    <>
      <h3>
        {title} <small>{edges.length}</small>
      </h3>
      {edges.length === 0 && <p class="hint">None in this range</p>}
      <ul class="neighbours">
        {ordered.map((edge) => (
          <li key={edge.id}>
            <a href={formatUrl({ ...state, focus: other(edge).id })}>
              <EndName end={other(edge).node} />
            </a>
            <a
              class="number"
              href={formatUrl(flowsOfPair(state, { client: edge.source.node, server: edge.target.node }))}
              title="Show the flows between them"
            >
              {formatMeasure(traffic(edge.edge, state.layer), unit)}
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}

export function FocusPanel(props: Props) {
  const { state, fill, scene, node } = props;
  const upstream = scene.edges.filter((edge) => edge.target === node && edge.source !== node);
  const downstream = scene.edges.filter((edge) => edge.source === node && edge.target !== node);
  const flows = (side: 'client' | 'server') => formatUrl(flowsOfPair(state, { [side]: node.node }));
  return (
    <aside class="focus-panel" aria-label={`About ${node.name}`} data-testid="focus-panel">
      <h2>
        <EndName end={node.node} />
        <small>
          {node.node.external ? `external ${node.node.kind}` : node.node.kind}
          {node.value && ` · ${findMeasure(fill)?.short ?? fill} ${node.value}`}
        </small>
      </h2>
      <p class="panel-links">
        <a class="button" href={flows('client')}>
          <Icon name="flows" />
          Flows as client
        </a>
        <a class="button" href={flows('server')}>
          <Icon name="flows" />
          Flows as server
        </a>
      </p>
      <MeasureList layer={state.layer} measures={node.node.measures} mark={fill} />
      <Neighbours {...props} title="Upstream" edges={upstream} other={(edge) => edge.source} />
      <Neighbours {...props} title="Downstream" edges={downstream} other={(edge) => edge.target} />
    </aside>
  );
}
