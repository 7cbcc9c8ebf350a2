// Which component shows a screen of the catalog.
import type { FunctionComponent } from 'preact';

import type { ScreenId } from '../model/catalog';
import { FlowsScreen } from './flows/flows';
import { MapScreen } from './map/map';
import type { ScreenProps } from './screen';
import { SummaryScreen } from './summary/summary';

export const screenComponents: Record<ScreenId, FunctionComponent<ScreenProps>> = {
  summary: SummaryScreen,
  map: MapScreen,
  flows: FlowsScreen,
};
